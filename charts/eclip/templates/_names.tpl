{{- define "eclip.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "eclip.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "eclip.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "eclip.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels of every object. Takes (list context component). */}}
{{- define "eclip.labels" -}}
{{- $ := index . 0 -}}
{{ include "eclip.selector" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: eclip
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Labels by which a controller finds its pods; they never change. Takes (list context component). */}}
{{- define "eclip.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ include "eclip.name" $ }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Takes (list context image-values). */}}
{{- define "eclip.image" -}}
{{- $ := index . 0 -}}
{{- $image := index . 1 -}}
{{- $path := ternary $image.repository (printf "%s/%s" $.Values.image.registry $image.repository) (empty $.Values.image.registry) -}}
{{- if $image.digest -}}
{{ $path }}@{{ $image.digest }}
{{- else -}}
{{ $path }}:{{ default $.Chart.AppVersion $.Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* Takes (list context component account-values). */}}
{{- define "eclip.serviceAccount" -}}
{{- $ := index . 0 -}}
{{- $account := index . 2 -}}
{{- if $account.create -}}
{{ default (printf "%s-%s" (include "eclip.fullname" $) (index . 1)) $account.name }}
{{- else -}}
{{ default "default" $account.name }}
{{- end -}}
{{- end -}}

{{/* Of every container: it may do what its files and its user allow, and nothing else. */}}
{{- define "eclip.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Where a component's pods may run. Takes (list context component-values). */}}
{{- define "eclip.placement" -}}
{{- $ := index . 0 -}}
{{- $values := index . 1 -}}
{{- with $.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Of plugin and agent. */}}
{{- define "eclip.nodeSecurity" -}}
{{- if .Values.node.privileged -}}
privileged: true
readOnlyRootFilesystem: true
{{- else -}}
{{ include "eclip.containerSecurity" . }}
{{- end -}}
{{- end -}}
