"""Event envelopes, one module each: an envelope in, object events out."""
