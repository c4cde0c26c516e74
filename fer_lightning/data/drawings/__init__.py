"""The demo faces, drawn: expression (action units) → face and hair on a canvas → photo (light, camera)."""
