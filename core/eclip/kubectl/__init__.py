"""`kubectl eclip`: what a cluster's objects say, put together for people. It speaks to the cluster through `kubectl`
alone: its contexts, credentials and rights are the user's, and there is no second client to set up.
"""
