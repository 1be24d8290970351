"""The device plugin: offers a GPU's shares to kubelet and lays out a slot for each container that gets one."""
