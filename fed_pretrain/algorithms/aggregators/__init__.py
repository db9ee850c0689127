"""How updates are added up: plain, compressed, robust, secure, private."""
