"""The code itself: style, types, who may import whom, lengths."""
