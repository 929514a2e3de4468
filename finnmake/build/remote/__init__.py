"""Remote caches.

``cache.py`` is one small interface, ``http.py`` and ``grpc_cache.py`` speak two protocols, ``sharing.py`` brings
results from a remote cache into the local store and back.
"""
