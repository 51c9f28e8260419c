"""What is drawn at random for a photo: cameras, lamps, surroundings, colours, poses."""
