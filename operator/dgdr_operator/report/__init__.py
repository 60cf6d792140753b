"""What a person reads: pages, tables, charts and folders of files, made from estimates without looking at the world."""
