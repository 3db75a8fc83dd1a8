"""Workers on other machines that see the study's folder: messages are files in it, no port."""
