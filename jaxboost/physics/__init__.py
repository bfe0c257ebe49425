"""What theory says about a crystal without DFT: space-group tables, electron filling, tight binding."""
