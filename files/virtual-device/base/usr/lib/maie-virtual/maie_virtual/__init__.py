"""What a virtual host needs so that machine-wide files of the kernel can be read and written inside it."""
