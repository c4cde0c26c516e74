"""The way of a drawn face: expression (action units) → face and hair on a canvas → photo (light, camera)."""
