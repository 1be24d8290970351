"""Who we are to the API server: the pod's service account, else a kubeconfig. For kopf's watches and our writes."""

import os
from dataclasses import replace

import kopf


def login(settings: kopf.OperatorSettings) -> kopf.ConnectionInfo:
    """Reads the credentials as they are now; tokens of a pod are renewed on its disk.

    Raises:
        kopf.LoginError: there are none.
    """
    inside = kopf.login_with_service_account(settings=settings)
    if inside is not None:
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        # The address works without a cluster DNS.
        return replace(inside, server=f"https://{f'[{host}]' if ':' in host else host}:{port}") if host else inside
    outside = kopf.login_with_kubeconfig(settings=settings)
    if outside is None:
        raise kopf.LoginError("no cluster: neither in a pod with a service account, nor KUBECONFIG=FILE is given")
    return outside
