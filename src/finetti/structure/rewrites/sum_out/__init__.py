"""Sum discrete sites out, exactly or by messages."""
