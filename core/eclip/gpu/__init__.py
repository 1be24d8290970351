"""What a GPU is: its shape, what its product is known for, its masks, and what a mix may ask of it."""
