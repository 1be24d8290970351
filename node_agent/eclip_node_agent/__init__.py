"""The node agent: brings a node's plan into its slots and reports what the programs there do."""
