"""The frames that FINs are trained and tested on, and their targets."""
