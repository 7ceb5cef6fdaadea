"""One folder for each Lambda function."""

import gc

# Before any other import: with Python's own threshold the collector takes an eighth of a cold start
# and finds nothing. Imports and clients leave up to 100,000 objects, and a first event some more.
# shared/aws/runtime.py sets the threshold of a warm worker.
gc.set_threshold(150_000, 20, 50)
