"""The networks as bare `nn.Module`s: float (B, 1, S, S) in, logits (B, C) out."""
