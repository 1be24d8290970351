"""Code generated from native/include/eclip/table.fbs by `make gen`. Only `eclip.slot.table` imports it."""
