"""What several test folders share: small networks, running the command line."""
