"""Put the plug-ins where GIMP and Photoshop look for them."""
