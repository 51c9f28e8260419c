"""From the triangles of LDraw files to closed, smoothly shaded meshes."""
