"""HTTP before a ``Workspace``: who may ask (``gate``, ``sign_in``), what can be asked
(``page_messages``), and what is answered (``routes_*``, ``answers``)."""
