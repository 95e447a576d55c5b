"""The grammar of the language and its parser's tables, shipped as data; `netspec.syntax.tables` reads them."""
