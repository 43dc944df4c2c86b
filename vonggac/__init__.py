"""What both programs stand on; knows no camera, no database, no web."""
