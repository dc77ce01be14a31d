"""Sessions: stored one by one and never lost, and what they add up to."""

from fitcli.history.store import Session, SessionStore, sessions_folder

__all__ = ["Session", "SessionStore", "sessions_folder"]
