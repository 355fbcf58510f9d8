"""Everything in one picture: a grid of clicks, each asked for its mask, and what is left of them.

``grid`` says where to click, ``find`` asks and judges, ``select`` drops what is said twice. The
procedure is that of Segment Anything (Kirillov et al. 2023, section 4.1 and appendix B), which SAM
2's automatic mask generator follows.
"""
