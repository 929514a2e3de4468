"""From a routed design to a board: boards, clocks, the shell, the host's driver, the folder to take along."""
