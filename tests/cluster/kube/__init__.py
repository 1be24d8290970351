"""A real Kubernetes cluster on one Linux machine: etcd, API server, scheduler, controller manager, and nodes with
kubelet and containerd, each machine in namespaces and control groups of its own. For tests and for use by hand."""
