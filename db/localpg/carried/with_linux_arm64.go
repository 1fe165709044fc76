//go:build withpostgres

package carried

import _ "embed"

//go:embed postgres_linux_arm64.tar.br
var packed string

//go:embed postgres_linux_arm64.txt
var line string

// PostgreSQL is what this program carries.
func PostgreSQL() *Archive { return parse(line, packed) }
