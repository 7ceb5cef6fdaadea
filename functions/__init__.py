"""One folder for each Lambda function."""

import gc

# Imports and events leave little garbage in cycles. At Python's own threshold, looking for it takes
# an eighth of a cold start (docs/decisions/0018-performance.md).
gc.set_threshold(50_000, 20, 50)
