"""Ray: the only room that knows of a cluster. It moves work about; what work is, ``execute`` knows."""
