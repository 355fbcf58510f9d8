"""Training clips: samplers, augmentation, batches."""
