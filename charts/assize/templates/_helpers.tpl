{{- define "assize.selector" -}}
app.kubernetes.io/name: assize
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "assize.labels" -}}
{{ include "assize.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
