// Package register takes the place of the operator's package of that name, which imports all of its generators.
package register
