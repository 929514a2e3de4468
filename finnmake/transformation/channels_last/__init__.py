"""The parts of ``LowerToChannelsLast``: which tensors are images, their two forms, and a rule for each op type."""
