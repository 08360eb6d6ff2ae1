//! Recording on a tracking server that behaves badly: a stand-in on loopback, which keeps every request.
