"""One folder for each Lambda function."""

import gc

# Imports and events leave little garbage in cycles. At Python's own threshold, looking for it takes
# an eighth of a cold start; at this one, it begins after it (docs/decisions/0018-performance.md).
gc.set_threshold(150_000, 20, 50)
