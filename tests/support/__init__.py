"""What tests share: fakes of the world's edge and real servers on free ports."""
