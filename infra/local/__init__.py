"""The local runner: the embedded engine, the real CDK CLI, a sample life, and the `oms` command. Nothing here is deployed."""
