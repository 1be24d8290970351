"""Kubelet's PodResources service: `podresources.proto`, and the stubs that `make gen` writes from it."""
