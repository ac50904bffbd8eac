"""What runs in several processes, for the tests of training on them."""
