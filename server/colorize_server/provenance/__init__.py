"""Where a colour came from: the record in XMP that every output carries, and the scan's own record, which lives on."""
