"""The page: a photograph in the browser, served by the daemon, with routes and keys of its own."""
