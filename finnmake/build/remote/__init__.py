"""Remote caches.

``cache.py`` is one small interface, ``http.py`` and ``grpc_cache.py`` speak two protocols, ``sharing.py`` brings
results from a remote cache into the local store and back.
"""

import os

# gRPC says each failed handshake on the terminal, beside our one warning. This is its only switch, and it looks at it
# when it is imported. Who wants these lines sets the variable.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
