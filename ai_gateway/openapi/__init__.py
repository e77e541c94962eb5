"""What is served, told as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1), and a page to try it.

A function says what it takes and gives by an ``API`` in its module, an ``Operation``; the document
is made of those, of the routes that are in force, and of who asks.
"""
