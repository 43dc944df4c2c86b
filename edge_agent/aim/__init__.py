"""The first aim: finding cameras, checking them in plain words, and the sheet that is handed over."""
