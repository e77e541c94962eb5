"""Linear classifiers of texts on hashed n-grams: numpy alone, a few microseconds a sentence."""
