"""Single labelled pictures turned into clips: the camera moves, tissue bends, things come and go.

Promises: everything is a function of time, so consecutive frames and DiveMem's scattered ones cost
the same; masks are moved with the picture they belong to.

Start with ``animate``. ``extended`` is the still with what lies beyond its border, ``warp`` the
camera and the bending, ``paste`` what is laid over it, ``growth`` a bump of tissue to paste, and
``exposure`` light and noise. Needs OpenCV.
"""
