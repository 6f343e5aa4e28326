"""One module per `segmentation bench NAME`: what this product can do on this machine, measured."""
