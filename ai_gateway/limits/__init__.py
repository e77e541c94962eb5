"""How much callers may ask and spend: limits a second to a day, budgets a day or a month.

``declared`` is what an operator writes, ``plan`` which counters a call meets, ``worst`` the most
that it may take of each; a store (``memory``, ``redis``) takes all of it in one step, ``engine``
puts them together, ``gate`` is what the request path calls. Nothing is imported here, since the
manifest's own model imports ``declared``.
"""
