"""Pictures of a study, drawn from its folder. Nothing else imports matplotlib for a study."""
